"""What the numbers mean: scoring rules, result files and aggregates. Pure: facts in, numbers and text out."""
