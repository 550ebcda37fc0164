"""What a site wishes of its own accord: rules are judged, what they propose is combined, and dispatch arbitrates it."""
