-- Open changes that have waited longest
SELECT project, number, subject, owner, created, patch_sets
FROM changes WHERE status = 'new' AND NOT work_in_progress ORDER BY created LIMIT 50
