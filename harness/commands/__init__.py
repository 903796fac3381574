"""Commands: options in, one stage called, its result handed to `render`. Nothing else happens here."""
