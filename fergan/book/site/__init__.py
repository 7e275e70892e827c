"""The built book as a web site: nothing from elsewhere, small pages, and a proof that they are of this run."""
