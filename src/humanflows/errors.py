"""One kind of error for bad input: it names the file, the row or key, and what to do about it."""


class InputError(ValueError):
    """Input that cannot be used. ``str()`` reads: file: problem [key]. Remedy: remedy; without brackets where the key
    is None or empty."""

    def __init__(self, file, problem: str, remedy: str, key=None):
        self.file, self.problem, self.remedy, self.key = str(file), problem, remedy, key
        where = "" if key is None or str(key) == "" else f" [{key}]"
        super().__init__(f"{file}: {problem}{where}. Remedy: {remedy}")

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
