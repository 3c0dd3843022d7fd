"""From a wish to the message that fills with it."""
