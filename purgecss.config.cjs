// Which rules of Tabler our pages use. Only their names are looked for, so a class put together from pieces
// (`bg-{{ colour }}-lt`) must be written out somewhere in api/, or named here.
module.exports = {
  css: ["node_modules/@tabler/core/dist/css/tabler.min.css"],
  content: ["api/**/*.html", "api/**/*.py", "api/static/*.js"],
  safelist: {
    standard: [/^htmx-/],
    // The theme is chosen by an attribute that scripts or the server may set.
    greedy: [/data-bs-theme/],
  },
};
