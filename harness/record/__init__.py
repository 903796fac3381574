"""Dataset writers: LEAD's layout of metas and bboxes."""
