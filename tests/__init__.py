"""The tests, and what they share: models built by hand, LiteRT as the oracle, the comparison."""
