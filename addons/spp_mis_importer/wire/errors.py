"""What can be wrong with a whole source; `reason` is a sentence for a person and holds no secret."""


class SourceError(Exception):
    """The source refused, or answered what cannot be used; asking again brings the same."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class SourceDown(SourceError):
    """The source is out of order for now; asking again later may help."""


class SessionExpired(SourceError):
    """The login is no longer valid."""

    def __init__(self):
        super().__init__("The source ended the session.")


class NotThere(SourceError):
    """The source does not have what was asked for: a model of a module that it lacks."""
