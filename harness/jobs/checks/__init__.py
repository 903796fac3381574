"""What a machine offers: small examinations, each with an answer that says what to type."""
