"""What all commands share: options, what they print, progress."""
