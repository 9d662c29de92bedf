"""How far one unit of the last feature map sees: derived, then measured."""
