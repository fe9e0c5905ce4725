"""Who is in the course: accounts, roster, and what each of them may do."""
