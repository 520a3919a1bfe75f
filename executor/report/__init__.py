"""Make what a person looks at: tables, pictures and pages. numpy, cv2, matplotlib and jinja2, no torch."""
