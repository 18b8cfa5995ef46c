"""How good labels are: beside reference labels, beside the workers' answers, and for what money."""
