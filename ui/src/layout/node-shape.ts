/** Outlines as SVG paths in a box from 0, 0: services round, far sides by what they are. */

interface ShapedNode {
  readonly virtual: boolean;
  readonly type: string;
}

interface NodeShape {
  readonly outline: string;
  /** A line inside, without fill. */
  readonly detail?: string;
}

const cornerRadius = 12;
const cut = 12;
/** Half the height of a cylinder's lid. */
const lid = 7;

export function shapeOf(
  { virtual, type }: ShapedNode,
  { width, height }: { readonly width: number; readonly height: number },
): NodeShape {
  if (!virtual) return { outline: roundedBox(width, height, cornerRadius) };
  if (type === "messaging_system") return { outline: roundedBox(width, height, height / 2) };
  if (type !== "database") return { outline: cutBox(width, height) };
  const half = width / 2;
  return {
    outline: `M0 ${lid}A${half} ${lid} 0 0 1 ${width} ${lid}V${height - lid}A${half} ${lid} 0 0 1 0 ${height - lid}Z`,
    detail: `M0 ${lid}A${half} ${lid} 0 0 0 ${width} ${lid}`,
  };
}

function roundedBox(width: number, height: number, radius: number): string {
  const arc = `A${radius} ${radius} 0 0 1`;
  const [right, bottom] = [width - radius, height - radius];
  return `M${radius} 0H${right}${arc} ${width} ${radius}V${bottom}${arc} ${right} ${height}H${radius}${arc} 0 ${bottom}V${radius}${arc} ${radius} 0Z`;
}

function cutBox(width: number, height: number): string {
  const [right, bottom] = [width - cut, height - cut];
  return `M${cut} 0H${right}L${width} ${cut}V${bottom}L${right} ${height}H${cut}L0 ${bottom}V${cut}Z`;
}
