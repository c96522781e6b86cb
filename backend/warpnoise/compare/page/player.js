"use strict";
// All sequences of a task are tiles of one movie, so that they are always at the same frame: each canvas shows a tile.
for (const player of document.querySelectorAll(".player")) {
  const { columns, tile: [width, height], order } = JSON.parse(player.dataset.wall);
  const video = player.querySelector("video");
  const find = (selector) => player.querySelector(selector);
  const slider = find("input"), output = find("output"), play = find(".play");
  const pair = [...player.querySelectorAll(".pair figure")].map((figure) => ({
    canvas: figure.querySelector("canvas"),
    choice: figure.querySelector("select"),
  }));
  const tiles = [...player.querySelectorAll(".tiles canvas")];
  for (const canvas of [...tiles, ...pair.map((side) => side.canvas)]) {
    canvas.width = width;
    canvas.height = height;
  }
  let next = 1; // the side that the next click on a tile changes
  let held = false; // stopped by hand: scrolling back does not start it again
  let rate = 24; // pictures a second, known with the movie's length

  const draw = (canvas, index) => canvas.getContext("2d").drawImage(
    video, (index % columns) * width, Math.floor(index / columns) * height, width, height, 0, 0, width, height);

  const show = () => {
    if (video.readyState < 2) return;
    for (const canvas of tiles) draw(canvas, Number(canvas.dataset.tile));
    for (const { canvas, choice } of pair) draw(canvas, Number(choice.value));
    const index = Math.min(order.length - 1, Math.floor(video.currentTime * rate + 0.01));
    if (document.activeElement !== slider || !video.paused) slider.value = index;
    output.textContent = `frame ${order[index]}`;
  };
  const seek = (index) => {
    held = true;
    video.pause();
    const wrapped = (index + order.length) % order.length;
    slider.value = wrapped; // at once: the next click counts from here, whether the picture is there yet or not
    video.currentTime = (wrapped + 0.5) / rate; // the middle of a picture: no rounding leads to its neighbour
  };
  const loop = () => {
    show();
    if (!video.paused) requestAnimationFrame(loop);
  };

  video.addEventListener("loadedmetadata", () => { rate = order.length / video.duration; });
  video.addEventListener("loadeddata", show);
  video.addEventListener("seeked", show);
  video.addEventListener("play", () => { play.textContent = "Pause"; loop(); });
  video.addEventListener("pause", () => { play.textContent = "Play"; });
  play.addEventListener("click", () => {
    held = !video.paused;
    if (held) video.pause();
    else video.play();
  });
  find(".back").addEventListener("click", () => seek(Number(slider.value) - 1));
  find(".forth").addEventListener("click", () => seek(Number(slider.value) + 1));
  slider.addEventListener("input", () => seek(Number(slider.value)));
  find(".speed").addEventListener("change", (event) => { video.playbackRate = Number(event.target.value); });
  for (const { choice } of pair) choice.addEventListener("change", show);
  for (const canvas of tiles) {
    canvas.parentElement.addEventListener("click", () => {
      pair[next].choice.value = canvas.dataset.tile;
      next = 1 - next;
      show();
    });
  }
  // Only what is seen plays.
  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && !held) video.play().catch(() => {});
    else if (!entry.isIntersecting && !video.paused) video.pause();
  }).observe(player);
}
