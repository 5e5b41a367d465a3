"""How much a page shows, so that it stays small whatever the file; it says what it leaves out."""

LONGEST_NAME, LONGEST_NAME_IN_ROW, LONGEST_TEXT = 160, 72, 400
"""Characters of a name, of one in a table, and of another text."""
MOST_SUBGRAPHS, MOST_ENDS = 16, 32
"""Subgraphs whose inputs and outputs are listed, and how many of each."""
MOST_BLOCKS, MOST_LIVE = 400, 8
"""Buffers in the picture of the arena, and those that are named."""
MOST_EXAMPLES = 3
"""Findings of one kind."""
MOST_WEIGHTS = 300
"""Constants that are drawn, and rows of the comparison."""
MOST_UNMATCHED = 50
