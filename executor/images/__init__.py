"""Images from disk: decoded, prepared for a network, read ahead by processes."""
