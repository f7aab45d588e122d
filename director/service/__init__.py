"""A replica in operation: feeds the pure director, carries out its effects, answers callers."""
