"""Evidence about a challenger comes in; a verdict, a card for people and what it spent of the error go out.

Nothing is asked of an engine here, and no alias is moved."""
