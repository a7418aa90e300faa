// Draws no more often than there are pictures.

/** A function that draws with the next picture, and once, however often it is called before. */
export function oncePerFrame(draw) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  };
}
