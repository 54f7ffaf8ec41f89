"""One kind of error for bad input: it names the file, the row or key, and what to do about it."""

QUOTED = 2000      # characters of any one part of a message: what is quoted comes from files that anybody may have made


def _cut(part) -> str:
    """A part of a message; of a long one the beginning and the end."""
    text = str(part)
    if len(text) <= QUOTED:
        return text
    return f"{text[:QUOTED * 3 // 4]} … ({len(text):,} characters) … {text[-QUOTED // 8:]}"


class InputError(ValueError):
    """Input that cannot be used. ``str()`` reads: file: problem [key]. Remedy: remedy; without brackets where the key
    is None or empty. Long parts are cut."""

    def __init__(self, file, problem: str, remedy: str, key=None):
        self.file, self.problem, self.remedy = _cut(file), _cut(problem), _cut(remedy)
        self.key = _cut(key) if isinstance(key, str) else key
        where = "" if key is None or str(key) == "" else f" [{_cut(key)}]"
        super().__init__(f"{self.file}: {self.problem}{where}. Remedy: {self.remedy}")

    def __reduce__(self):
        # An exception is pickled by its one text by default and could not be made again in another process.
        return type(self), (self.file, self.problem, self.remedy, self.key)


class SourceFileError(InputError):
    """A source file is missing, truncated or not the one that the registry pins."""


class UnknownTerritoryError(InputError):
    """A code or name that is neither one of the 231 territories nor declared outside them."""


class DuplicateKeyError(InputError):
    """Two rows speak about the same thing."""


class NegativeCountError(InputError):
    """A number of persons below zero."""


class YearRangeError(InputError):
    """A year outside what the table may hold."""


class SchemaError(InputError):
    """A table whose columns or values are not those declared."""


class ConfigError(InputError):
    """A configuration file with an unknown key or an impossible value."""


class ArtifactError(InputError):
    """An artifact that is missing, damaged or made by something else than it claims."""


class DivergenceError(InputError):
    """A training whose loss, steps or results are beyond reason."""
