"""mmengine configs as data: found, read, held to what they may name, changed by the user."""
