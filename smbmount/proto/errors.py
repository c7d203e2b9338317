"""The one exception for bytes that are not what they should be."""


class MalformedMessage(Exception):
    """`message` has a `field` whose `value` cannot be right."""

    def __init__(self, message: str, field: str, value: object) -> None:
        super().__init__(f"{message}: {field} is {value}")
        self.message = message
        self.field = field
        self.value = value
