// Package daybook drives a running Daybook with Alpaca's Go SDK, as published. It knows what demo.env says, and where the
// exchange shows its prices.
package daybook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/shopspring/decimal"
)

const patience = 60 * time.Second

// eventually waits for a condition, never for time.
func eventually(t *testing.T, what string, there func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if there() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, id, status string) *alpaca.Order {
	t.Helper()
	var seen *alpaca.Order
	eventually(t, id+" to be "+status, func() bool {
		order, err := client.GetOrder(id)
		check(t, err)
		seen = order
		return order.Status == status
	})
	return seen
}

// quote reads the exchange's page for people: a line of heads, a line of values.
func quote(t *testing.T, symbol string) (bid, ask decimal.Decimal) {
	t.Helper()
	answer, err := http.Get(os.Getenv("DAYBOOK_QUOTES_URL") + "/quotes/" + symbol)
	check(t, err)
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	check(t, err)
	values := strings.Fields(strings.Split(string(page), "\n")[1])
	return decimal.RequireFromString(values[1]), decimal.RequireFromString(values[3])
}

func limit(symbol string, qty int64, price decimal.Decimal, side alpaca.Side) alpaca.PlaceOrderRequest {
	shares := decimal.NewFromInt(qty)
	return alpaca.PlaceOrderRequest{
		Symbol: symbol, Qty: &shares, Side: side, Type: alpaca.Limit, TimeInForce: alpaca.Day, LimitPrice: &price,
	}
}

// resting places a buy far below the market and waits until the exchange has it.
func resting(t *testing.T, symbol string, qty int64) *alpaca.Order {
	t.Helper()
	bid, _ := quote(t, symbol)
	order, err := client.PlaceOrder(limit(symbol, qty, bid.Div(decimal.NewFromInt(2)).Round(2), alpaca.Buy))
	check(t, err)
	t.Cleanup(func() { _ = client.CancelOrder(order.ID) })
	return until(t, order.ID, "new")
}

func bought(t *testing.T, symbol string, qty int64) *alpaca.Order {
	t.Helper()
	_, ask := quote(t, symbol)
	order, err := client.PlaceOrder(limit(symbol, qty, ask.Mul(decimal.RequireFromString("1.05")).Round(2), alpaca.Buy))
	check(t, err)
	return until(t, order.ID, "filled")
}

func refused(t *testing.T, err error, status, code int, words string) {
	t.Helper()
	var refusal *alpaca.APIError
	if !errors.As(err, &refusal) {
		t.Fatalf("expected a refusal, not %v", err)
	}
	if refusal.StatusCode != status || refusal.Code != code || !strings.Contains(refusal.Message, words) {
		t.Fatalf("refused with %d, %d, %q", refusal.StatusCode, refusal.Code, refusal.Message)
	}
}

func TestTheAccountHasMoney(t *testing.T) {
	account, err := client.GetAccount()
	check(t, err)
	if account.Status != "ACTIVE" || !account.Cash.IsPositive() || account.ShortingEnabled {
		t.Fatalf("%+v", account)
	}
}

func TestAnOrderIsPlacedReadListedAndCanceled(t *testing.T) {
	order := resting(t, "KO", 2)
	found, err := client.GetOrderByClientOrderID(order.ClientOrderID)
	check(t, err)
	if found.ID != order.ID {
		t.Fatalf("found %s", found.ID)
	}
	listed, err := client.GetOrders(alpaca.GetOrdersRequest{Status: "open", Symbols: []string{"KO"}, Direction: "asc"})
	check(t, err)
	if len(listed) == 0 {
		t.Fatal("an open order is not listed")
	}
	check(t, client.CancelOrder(order.ID))
	until(t, order.ID, "canceled")
	refused(t, client.CancelOrder(order.ID), 422, 42210000, "already in \"canceled\" state")
}

func TestCancelAllEmptiesTheList(t *testing.T) {
	resting(t, "KO", 1)
	resting(t, "PG", 1)
	check(t, client.CancelAllOrders())
	eventually(t, "no open order", func() bool {
		open, err := client.GetOrders(alpaca.GetOrdersRequest{Status: "open"})
		check(t, err)
		return len(open) == 0
	})
}

func TestAReplacementTakesThePlace(t *testing.T) {
	old := resting(t, "PG", 2)
	qty := decimal.NewFromInt(3)
	replacement, err := client.ReplaceOrder(old.ID, alpaca.ReplaceOrderRequest{Qty: &qty})
	check(t, err)
	if replacement.Replaces == nil || *replacement.Replaces != old.ID {
		t.Fatalf("%+v", replacement)
	}
	until(t, replacement.ID, "new")
	if by := until(t, old.ID, "replaced").ReplacedBy; by == nil || *by != replacement.ID {
		t.Fatalf("replaced by %v", by)
	}
	check(t, client.CancelOrder(replacement.ID))
	until(t, replacement.ID, "canceled")
}

func TestAPositionIsOpenedAndClosed(t *testing.T) {
	bought(t, "JPM", 4)
	position, err := client.GetPosition("JPM")
	check(t, err)
	if position.Qty.LessThan(decimal.NewFromInt(4)) || !position.QtyAvailable.Equal(position.Qty) {
		t.Fatalf("%+v", position)
	}
	half, err := client.ClosePosition("JPM", alpaca.ClosePositionRequest{Percentage: decimal.NewFromInt(50)})
	check(t, err)
	until(t, half.ID, "filled")
	rest, err := client.ClosePosition("JPM", alpaca.ClosePositionRequest{})
	check(t, err)
	until(t, rest.ID, "filled")
	_, err = client.GetPosition("JPM")
	refused(t, err, 404, 40410000, "position does not exist")
}

func TestAllPositionsAreClosed(t *testing.T) {
	bought(t, "XOM", 2)
	_, err := client.CloseAllPositions(alpaca.CloseAllPositionsRequest{CancelOrders: true})
	check(t, err)
	eventually(t, "no position", func() bool {
		held, err := client.GetPositions()
		check(t, err)
		return len(held) == 0
	})
}

func TestDollarsBuyAFraction(t *testing.T) {
	dollars := decimal.NewFromInt(25)
	order, err := client.PlaceOrder(alpaca.PlaceOrderRequest{
		Symbol: "GOOGL", Notional: &dollars, Side: alpaca.Buy, Type: alpaca.Market, TimeInForce: alpaca.Day,
	})
	check(t, err)
	if filled := until(t, order.ID, "filled"); !filled.FilledQty.LessThan(decimal.NewFromInt(1)) {
		t.Fatalf("%+v", filled)
	}
}

func TestActivitiesTellOfAFill(t *testing.T) {
	order := bought(t, "UNH", 1)
	eventually(t, "its activity", func() bool {
		entries, err := client.GetAccountActivities(alpaca.GetAccountActivitiesRequest{ActivityTypes: []string{"FILL"}})
		check(t, err)
		for _, entry := range entries {
			if entry.OrderID == order.ID {
				return true
			}
		}
		return false
	})
	deposits, err := client.GetAccountActivities(alpaca.GetAccountActivitiesRequest{ActivityTypes: []string{"CSD"}})
	check(t, err)
	if len(deposits) == 0 {
		t.Fatal("no deposit")
	}
}

func TestClockCalendarAssets(t *testing.T) {
	clock, err := client.GetClock()
	check(t, err)
	if !clock.NextOpen.After(clock.Timestamp) {
		t.Fatalf("%+v", clock)
	}
	days, err := client.GetCalendar(alpaca.GetCalendarRequest{
		Start: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC),
	})
	check(t, err)
	if len(days) != 1 || days[0].Close != "13:00" {
		t.Fatalf("%+v", days)
	}
	assets, err := client.GetAssets(alpaca.GetAssetsRequest{Status: "active"})
	check(t, err)
	apple, err := client.GetAsset("AAPL")
	check(t, err)
	if len(assets) < 20 || !apple.Tradable {
		t.Fatalf("%d assets, %+v", len(assets), apple)
	}
}

func TestConfigurationsAndHistory(t *testing.T) {
	usual, err := client.GetAccountConfigurations()
	check(t, err)
	change := alpaca.UpdateAccountConfigurationsRequest{
		TradeConfirmEmail: string(usual.TradeConfirmEmail), SuspendTrade: true, NoShorting: usual.NoShorting, FractionalTrading: true,
	}
	_, err = client.UpdateAccountConfigurations(change)
	check(t, err)
	change.SuspendTrade = false
	defer func() { _, _ = client.UpdateAccountConfigurations(change) }()
	_, err = client.PlaceOrder(limit("KO", 1, decimal.NewFromInt(10), alpaca.Buy))
	refused(t, err, 403, 40310000, "")
	history, err := client.GetPortfolioHistory(alpaca.GetPortfolioHistoryRequest{Period: "1M", TimeFrame: alpaca.Day1})
	check(t, err)
	if len(history.Timestamp) != len(history.Equity) {
		t.Fatalf("%+v", history)
	}
}

func TestRefusalsKeepTheirWords(t *testing.T) {
	_, err := client.PlaceOrder(limit("KO", 1, decimal.RequireFromString("10.123"), alpaca.Buy))
	refused(t, err, 422, 42210000, "sub-penny")
	_, err = client.PlaceOrder(limit("NOSUCH", 1, decimal.NewFromInt(10), alpaca.Buy))
	refused(t, err, 422, 42210000, "not found")
	_, err = client.PlaceOrder(limit("LLY", 1, decimal.NewFromInt(900), alpaca.Sell))
	refused(t, err, 403, 40310000, "not allowed to short")
	order := limit("KO", 1, decimal.NewFromInt(10), alpaca.Buy)
	order.ClientOrderID = resting(t, "KO", 1).ClientOrderID
	_, err = client.PlaceOrder(order)
	refused(t, err, 422, 40010001, "client_order_id must be unique")
}

func TestTradeUpdatesAreReplayedAndGoOn(t *testing.T) {
	context, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	first := resting(t, "F", 1)
	events := make(chan alpaca.TradeUpdate, 1000)
	go func() {
		_ = client.StreamTradeUpdates(context, func(update alpaca.TradeUpdate) { events <- update },
			alpaca.StreamTradeUpdatesRequest{Since: first.CreatedAt.Add(-time.Second)})
	}()
	told := func(id, event string) {
		for {
			select {
			case update := <-events:
				if update.Order.ID == id && update.Event == event {
					return
				}
			case <-context.Done():
				t.Fatalf("no %s of %s", event, id)
			}
		}
	}
	told(first.ID, "accepted")
	told(first.ID, "new")
	check(t, client.CancelOrder(first.ID))
	told(first.ID, "canceled")
}
