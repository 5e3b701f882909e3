"""Values as files that hold no code: JSON and arrays of numbers in a zip archive."""
