"""Studies of HitNet's claims: models that differ in one thing each, and the page of what they showed."""
