"""What must be true of the page. Each function is a check, and its name says of what."""
