// Every figure opens at its full size: a book's column is narrower than many of them.
window.addEventListener("load", () => {
  for (const image of document.querySelectorAll("article.bd-article img")) {
    if (image.closest("a") || image.naturalWidth < image.clientWidth) continue;
    const link = document.createElement("a");
    link.href = image.src;
    link.className = "full-size";
    link.title = "Open the figure at its full size";
    if (!image.alt) link.setAttribute("aria-label", link.title);
    image.replaceWith(link);
    link.append(image);
  }
});
