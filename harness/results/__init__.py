"""Result files of anybody, read: paths in, checked records and an account of every file out. Scores nothing."""
