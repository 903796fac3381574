"""The Leaderboard's tests of how a route is driven; each looks at every tick and keeps the infractions it found."""
