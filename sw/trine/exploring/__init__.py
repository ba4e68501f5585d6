"""The page of ``trine explore``: every board, lanes and banks of a model, to look at in a browser."""
