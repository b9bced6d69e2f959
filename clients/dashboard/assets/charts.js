// The charts of dash-mantine-components 2.8 answer mouseover with what is under the mouse, and throw where the mouse came in too fast for that to be known yet.
// Nobody here asks for it, and tooltips follow mousemove: so the charts don't hear of it.
document.addEventListener("mouseover", (event) => event.target.closest && event.target.closest(".chart") && event.stopPropagation(), true);
