"""The checks of the page. Each function is a check, named for what it checks."""
