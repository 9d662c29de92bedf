"""What crosses between the grader and a child: validated data, never code. No torch here."""
