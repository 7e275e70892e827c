"""One file a chapter: its tables and figures, from results."""
