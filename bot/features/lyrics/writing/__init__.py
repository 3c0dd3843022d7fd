"""From a request to the message that fills with it."""
