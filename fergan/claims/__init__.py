"""What the paper says, what we found: a verdict on each of its claims, from results and from the paper's own tables."""
