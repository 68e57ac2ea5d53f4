-- Open issues with the most comments
SELECT repo, number, title, comments, user, created
FROM issues WHERE state = 'open' ORDER BY comments DESC LIMIT 50
