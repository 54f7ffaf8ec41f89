"""One kind of error for bad input: it names the file, the row or key, and what to do about it."""

QUOTED = 700      # characters of any one part of a message: what is quoted comes from files that anybody may have made


def _shown(part, quoted: int = QUOTED) -> str:
    """A part of a message that may be printed: of a long one beginning and end, control characters escaped."""
    text = str(part)
    if len(text) > quoted:
        text = f"{text[:quoted - 100]} … ({len(text):,} characters) … {text[-40:]}"
    text = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return text if len(text) <= quoted else f"{text[:quoted - 1]}…"


class InputError(ValueError):
    """Input that cannot be used. ``str()`` reads: file: problem [key]. Remedy: remedy; without brackets where the key
    is None or empty. Long parts are cut, and control characters are written as escapes."""

    def __init__(self, file, problem: str, remedy: str, key=None):
        self.file, self.problem, self.remedy = _shown(file), _shown(problem), _shown(remedy)
        self.key = _shown(key, 300) if isinstance(key, str) else key
        where = "" if key is None or str(key) == "" else f" [{_shown(key, 300)}]"
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
