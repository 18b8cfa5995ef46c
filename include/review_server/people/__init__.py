"""Who answers: accounts, passwords, invitations and sessions."""
