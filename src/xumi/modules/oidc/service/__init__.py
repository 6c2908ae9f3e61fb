"""What is done with OpenID providers; no other feature needs it."""
