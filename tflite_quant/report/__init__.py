"""A model on one page: what it is, what it needs, what is wrong with it, and its weights.

`page` makes the page: plain data about the model (`content`), shown by `page.html.jinja`. Each part
of the content has a module: `ends`, `arena`, `problems`, `layers`, `costs`.
"""
