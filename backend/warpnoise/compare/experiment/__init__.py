"""What is made and measured: every method and seed on every task, kept in a folder and taken up again there."""
