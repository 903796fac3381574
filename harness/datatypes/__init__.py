"""Nouns without behaviour, shared by every layer."""
