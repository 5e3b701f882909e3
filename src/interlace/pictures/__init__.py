"""How results are drawn: values come in, axes of matplotlib go out."""
