"""Tables for the pages of the book, read from what the stages saved; one module per chapter."""
