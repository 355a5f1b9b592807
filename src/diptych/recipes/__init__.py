"""Names and wiring: the only room that knows everybody. One module a command."""
