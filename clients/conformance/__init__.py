"""A suite that every client of Tidegate must pass; see README.md."""
