"""Pages: faces like the command line, served to browsers on this machine or to whoever holds a link."""
