// Draws the charts into their places, in order. Vega's expressions are interpreted, since the page's
// policy lets no text become code.
const held = (id) => JSON.parse(document.getElementById(id).textContent);
const options = {
  mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false, config: held("looks"),
  tooltip: { disableDefaultStyle: true },
};
const places = document.querySelectorAll(".chart");
const drawn = held("charts").map(async (spec, number) => {
  const place = places[number];
  try {
    await vegaEmbed(place, spec, options);
    place.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = "This chart could not be drawn; its numbers stand below.";
    console.error(spec, error);
  }
});
Promise.all(drawn).then(() => { document.documentElement.dataset.done = "yes"; });
